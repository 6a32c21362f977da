// Puts real processes into given credentials, lets them call execve, setuid or setresuid, and prints what the kernel
// made of them. Reads one order a line from standard input (see the loop in main); as "ARGV0 report" it only prints.
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
#include <sys/xattr.h>
#include <unistd.h>

static void die(const char *what) {
    printf("broken %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(1);
}

static void report(void) {
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) die("open status");
    char line[4096];
    while (fgets(line, sizeof line, status))
        if (!strncmp(line, "Uid", 3) || !strncmp(line, "Gid", 3) || !strncmp(line, "Groups", 6) ||
            !strncmp(line, "Cap", 3) || !strncmp(line, "NoNewPrivs", 10))
            fputs(line, stdout);
    fclose(status);
    puts(".");
    fflush(stdout);
}

static void set_capabilities(uint64_t permitted, uint64_t effective, uint64_t inheritable) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        data[i].permitted = (uint32_t)(permitted >> (32 * i));
        data[i].effective = (uint32_t)(effective >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    if (syscall(SYS_capset, &header, data)) die("capset");
}

static uint64_t permitted_now(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data)) die("capget");
    return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

// file PATH UID GID MODE ATTRIBUTE: a copy of this program; ATTRIBUTE is hexadecimal or "-".
static void make_file(char *path, unsigned uid, unsigned gid, unsigned mode, char *attribute) {
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
    char buffer[65536];
    ssize_t n;
    if (from < 0 || to < 0) die("create file");
    while ((n = read(from, buffer, sizeof buffer)) > 0)
        if (write(to, buffer, n) != n) die("write file");
    close(from);
    close(to);
    if (chown(path, uid, gid) || chmod(path, mode)) die("chown or chmod");
    if (strcmp(attribute, "-")) {
        unsigned char bytes[64];
        size_t length = strlen(attribute) / 2;
        for (size_t i = 0; i < length && i < sizeof bytes; i++) sscanf(attribute + 2 * i, "%2hhx", &bytes[i]);
        if (setxattr(path, "security.capability", bytes, length, 0)) die("setxattr");
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "report")) {
        report();
        return 0;
    }
    static char line[4096], path[2048], attribute[256];
    unsigned uid, gid, mode;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "file %2047s %u %u %o %255s", path, &uid, &gid, &mode, attribute) == 5) {
            make_file(path, uid, gid, mode, attribute);
            continue;
        }
        // case RUID EUID SUID RGID EGID SGID GROUP... (three, -1 for none) INH BND PRM EFF AMB NNP KEEP ACTION
        unsigned u[3], g[3];
        int groups[3], no_new_privs, keep, used;
        uint64_t inh, bnd, prm, eff, amb;
        if (sscanf(line, "case %u %u %u %u %u %u %d %d %d %lx %lx %lx %lx %lx %d %d %n", &u[0], &u[1], &u[2], &g[0],
                   &g[1], &g[2], &groups[0], &groups[1], &groups[2], &inh, &bnd, &prm, &eff, &amb, &no_new_privs,
                   &keep, &used) != 16) {
            errno = EINVAL;
            die(line);
        }
        pid_t child = fork();
        if (child < 0) die("fork");
        if (child > 0) {
            int status;
            waitpid(child, &status, 0);
            continue;
        }
        uint64_t all = permitted_now();
        gid_t list[3];
        int count = 0;
        for (int i = 0; i < 3; i++)
            if (groups[i] >= 0) list[count++] = groups[i];
        if (setgroups(count, list)) die("setgroups");
        set_capabilities(all, all, inh);
        if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)) die("keepcaps");
        if (setresgid(g[0], g[1], g[2])) die("setresgid");
        if (setresuid(u[0], u[1], u[2])) die("setresuid");
        set_capabilities(all, all, inh);
        for (int c = 0; c < 41; c++)
            if (!(bnd >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) die("bounding");
        set_capabilities(prm, eff, inh);
        for (int c = 0; c < 41; c++)
            if (amb >> c & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0)) die("ambient");
        if (prctl(PR_SET_KEEPCAPS, keep, 0, 0, 0)) die("keepcaps");
        if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs");
        report();

        int failed;
        if (sscanf(line + used, "exec %2047s", path) == 1) {
            char *arguments[] = {path, "report", NULL};
            execv(path, arguments);
            failed = 1;
        } else if (sscanf(line + used, "setuid %u", &uid) == 1) {
            failed = syscall(SYS_setuid, uid) != 0;
        } else if (sscanf(line + used, "setresuid %u %u %u", &u[0], &u[1], &u[2]) == 3) {
            failed = syscall(SYS_setresuid, u[0], u[1], u[2]) != 0;
        } else {
            errno = EINVAL;
            die(line);
        }
        if (failed) {
            printf("errno %d\n.\n", errno);
            fflush(stdout);
        } else {
            report();
        }
        _exit(0);
    }
    return 0;
}
