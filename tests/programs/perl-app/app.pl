use strict; use warnings; use HTTP::Daemon; use HTTP::Response;
open my $pid, '>', '/var/run/app.pid' or die "cannot write pid file /var/run/app.pid: $!\n";
print $pid $$; close $pid;
-d '/var/log/app' or mkdir '/var/log/app' or die "cannot make /var/log/app: $!\n";
open my $log, '>>', '/var/log/app/access.log' or die "log: $!\n";
my $server = HTTP::Daemon->new(LocalPort => 80, ReuseAddr => 1) or die "listen: $@\n";
while (my $client = $server->accept) {
    while (my $request = $client->get_request) {
        open my $in, '<', 'data/count' or do { $client->send_response(HTTP::Response->new(500)); warn "count: $!\n"; next };
        my $count = <$in> + 1; close $in;
        if (open my $out, '>', 'data/count') { print $out $count; close $out; $client->send_response(HTTP::Response->new(200, 'OK', undef, "$count\n")) }
        else { warn "data/count: $!\n"; $client->send_response(HTTP::Response->new(500)) }
        print $log "hit $count\n";
    }
    $client->close;
}
