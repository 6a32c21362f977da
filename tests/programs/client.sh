# What a client of a program needs. A check begins with it, in its folder, with NAMESPACE and POD in its environment; it is
# run on the cluster's node, which reaches the pod's address.
# shellcheck shell=sh
set -eu
export TOKEN
TOKEN=kept-$$-$(date +%s)
ADDRESS=$(kubectl get pod -n "$NAMESPACE" "$POD" -o 'jsonpath={.status.podIP}')
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

fail() { echo "$*" >&2; exit 1; }
inside() { kubectl exec -i -n "$NAMESPACE" "$POD" -- "$@"; }
fetch() { curl -sS --noproxy '*' -m 20 "$@"; }
eventually() { # SECONDS COMMAND...: until it succeeds
  left=$1
  shift
  until "$@" 2> /dev/null; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || return 1
    sleep 1
  done
}
ask() { # tcp|udp PORT [SECONDS]: sends standard input, and prints what comes until so long nothing does
  perl -MIO::Socket::INET -MIO::Select -e '
    my ($protocol, $address, $silence) = @ARGV;
    my $socket = IO::Socket::INET->new(Proto => $protocol, PeerAddr => $address, Timeout => 5) or die "$address: $!\n";
    my $request = do { local $/; <STDIN> };
    syswrite $socket, $request;
    my $select = IO::Select->new($socket);
    while ($select->can_read($silence) and sysread $socket, my $bytes, 65536) { print $bytes }' "$1" "$ADDRESS:$2" "${3:-2}"
}
serve() { # PORT ANSWER: in the pod, for half a minute, to other programs there
  # shellcheck disable=SC2016  # perl expands it
  (exec > /dev/null 2>&1 && inside perl -MIO::Socket::INET -e '
    alarm 30;
    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$ARGV[0]", Listen => 1, ReuseAddr => 1) or die "no port $ARGV[0]: $!\n";
    while (my $client = $listener->accept) {
      sysread $client, my $request, 65536;
      print $client $ARGV[1];
      shutdown $client, 1;
      1 while sysread $client, $request, 65536;
    }' "$1" "$2") &
}
ntp() { # The stratum of the time server's answer, when it says that its clock is right.
  { printf '\043' && head -c 47 /dev/zero; } | ask udp 123 | od -An -tu1 -N2 | awk '$1 == 36 { print $2 }'
}
