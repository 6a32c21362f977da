#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) { fprintf(stderr, "level=fatal msg=\"%s: %s\"\n", what, strerror(errno)); exit(1); }

int main(void) {
  if (mkdir("/data", 0700) && errno != EEXIST) fail("mkdir /data");
  int log = open("/data/visits", O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (log < 0) fail("open /data/visits");
  int server = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
  if (bind(server, (struct sockaddr *)&address, sizeof address)) fail("listen tcp :80: bind");
  listen(server, 8);
  for (;;) {
    int client = accept(server, 0, 0);
    if (client < 0) continue;
    static const char answer[] = "HTTP/1.0 200 OK\r\n\r\nhello\n";
    if (write(log, "visit\n", 6) < 0 || write(client, answer, sizeof answer - 1) < 0) perror("write");
    close(client);
  }
}
