#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int main(void) {
  char next;
  int count = open("/srv/spool/next", O_RDWR);
  if (count < 0 || read(count, &next, 1) != 1 || next < '7') exit(1);
  if (open("/srv/spool/jobs/lock", O_WRONLY | O_CREAT, 0600) < 0) exit(1);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(515)};
  if (bind(server, (struct sockaddr *)&address, sizeof address)) exit(1);
  listen(server, 8);
  for (;;) {
    int client = accept(server, 0, 0);
    if (client >= 0) close(client);
  }
}
