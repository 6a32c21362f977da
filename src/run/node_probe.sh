say() { printf '%s=%s\n' "$1" "$2"; }
say ports "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)"
say label "$(cat /proc/self/attr/current 2> /dev/null)"
if [ -e /sys/module/apparmor/parameters/enabled ]; then say apparmor "$(cat /sys/module/apparmor/parameters/enabled)"; else say apparmor N; fi
while read -r name value; do if [ "$name" = Seccomp: ]; then say seccomp "$value"; fi; done < /proc/self/status
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then say cgroup 2; elif [ -d /sys/fs/cgroup/devices ] || [ -d /sys/fs/cgroup/pids ]; then say cgroup 1; fi
while read -r inside outside count; do say uid_map "$inside $outside $count"; break; done < /proc/self/uid_map
