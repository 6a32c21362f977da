// Lets processes of any user try things on files, and prints the errno of each attempt (0 where it passed). Whatever an
// attempt changed is put back as it was. One order a line on standard input:
// UID GID GROUP GROUP CAPABILITIES ACTION ARGUMENT ARGUMENT PATH, a group of -1 being none.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what) {
    perror(what);
    _exit(255);
}

static void set_capabilities(uint64_t set) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{(uint32_t)set, (uint32_t)set, 0},
                                             {(uint32_t)(set >> 32), (uint32_t)(set >> 32), 0}};
    if (syscall(SYS_capset, &header, data)) die("capset");
}

static int attempt(const char *action, int first, int second, char *path) {
    struct stat now;
    char inside[8192];
    if (!strcmp(action, "read")) return open(path, O_RDONLY | O_NONBLOCK) < 0 ? errno : 0;
    if (!strcmp(action, "write")) return open(path, O_WRONLY | O_CREAT, 0600) < 0 ? errno : 0;
    if (!strcmp(action, "fill")) {
        snprintf(inside, sizeof inside, "%s/.new", path);
        return mkdir(inside, 0700) || rmdir(inside) ? errno : 0;
    }
    if (!strcmp(action, "create")) return mkdir(path, 0700) ? errno : 0;
    if (!strcmp(action, "search")) return chdir(path) ? errno : 0;
    if (!strcmp(action, "remove")) return unlink(path) ? errno : 0;
    if (!strcmp(action, "chown")) return chown(path, first, second) ? errno : 0;
    if (!strcmp(action, "chmod")) {
        if (!stat(path, &now)) first = now.st_mode & 07777;
        return chmod(path, first) ? errno : 0;
    }
    if (!strcmp(action, "execute")) {
        char *arguments[] = {path, NULL};
        execv(path, arguments);
        // An empty file passes every check and is no program.
        return errno == ENOEXEC ? 0 : errno;
    }
    return 255;
}

int main(void) {
    static char line[8192], path[4096], action[16];
    while (fgets(line, sizeof line, stdin)) {
        int uid, gid, wanted[2], first, second;
        uint64_t capabilities;
        if (sscanf(line, "%d %d %d %d %lx %15s %d %d %4095s", &uid, &gid, &wanted[0], &wanted[1], &capabilities, action,
                   &first, &second, path) != 9)
            die(line);
        struct stat link, file;
        char target[4096] = "";
        int had_link = !lstat(path, &link), had_file = !stat(path, &file);
        if (had_link && S_ISLNK(link.st_mode) && readlink(path, target, sizeof target - 1) < 0) die("readlink");

        pid_t child = fork();
        if (child < 0) die("fork");
        if (child == 0) {
            gid_t groups[2];
            int count = 0;
            for (int i = 0; i < 2; i++)
                if (wanted[i] >= 0) groups[count++] = wanted[i];
            if (setgroups(count, groups) || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) die("setgroups");
            if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) die("setresuid");
            set_capabilities(capabilities);
            _exit(attempt(action, first, second, path));
        }
        int status;
        if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 255) die(line);
        int result = WEXITSTATUS(status);
        printf("%d\n", result);
        if (result) continue;
        if (!strcmp(action, "create") && rmdir(path)) die("rmdir");
        if (!strcmp(action, "write") && !had_file) {
            char *made = realpath(path, NULL);
            if (!made || unlink(made)) die("unlink");
            free(made);
        }
        if (!strcmp(action, "remove")) {
            if (S_ISLNK(link.st_mode)) {
                if (symlink(target, path) || lchown(path, link.st_uid, link.st_gid)) die("symlink");
            } else {
                int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
                if (fd < 0 || fchown(fd, link.st_uid, link.st_gid) || fchmod(fd, link.st_mode & 07777)) die("restore");
                close(fd);
            }
        }
        if ((!strcmp(action, "chown") || !strcmp(action, "chmod")) &&
            (chown(path, file.st_uid, file.st_gid) || chmod(path, file.st_mode & 07777)))
            die("restore");
    }
    return 0;
}
