# Shows the files that not everybody may read, and which of them the running programs name: by their arguments, or in the
# files that those name. Run as root, to parse.rs. Needs sh, find, stat, tr and grep.
list() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /usr -o -path /lib -o -path /lib64 -o -path /bin \
    -o -path /sbin -o -path /boot -o -path /tmp -o -path /var/log -o -path /var/cache -o -path /var/lib/apt \
    -o -path /var/lib/dpkg -o -path /run/secrets -o -path /var/run/secrets -o -path '/etc/*shadow*' -o -path '/etc/sudoers*' \
    -o -path '/etc/security/opasswd' \) -prune -o -type f ! -perm -004 -print 2>/dev/null
  # Below a directory that only root may enter, the mode of a file says nothing.
  find /root -xdev \( -name .cache -o -name '.bash*' -o -name .profile -o -name .wget-hsts \) -prune -o -type f -print 2>/dev/null
}
files=$(list | sort -u | head -n 300)
[ -n "$files" ] || { echo ">>> private"; echo ">>> end"; exit; }
echo ">>> private"
printf '%s\n' "$files" | while IFS= read -r file; do stat -c '%f %u %g %s %N' "$file" 2>/dev/null; done
# Before grep runs, whose own arguments are these files.
words=$(for pid in /proc/[0-9]*; do
  [ "$pid" = /proc/$$ ] && continue
  tr '\0' '\n' <"$pid"/cmdline 2>/dev/null
done | sort -u)
echo ">>> named"
printf '%s\n' "$words" | while IFS= read -r word; do
  printf '%s\n' "$word"
  file=${word#*=}
  [ -f "$file" ] && [ "$(wc -c <"$file")" -lt 262144 ] && cat -- "$file"
done 2>/dev/null | grep -aoF "$files" 2>/dev/null | sort -u
echo ">>> end"
