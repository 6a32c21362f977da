# Shows what a running container is, to parse.rs. Needs sh; each other program only makes the answer richer.
# It starts nothing that stays, and writes nothing. Sections begin with a line ">>> NAME [DETAIL]".
show() {
  if command -v cat >/dev/null 2>&1; then cat "$1" 2>/dev/null
  else while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done 2>/dev/null <"$1"; fi
}
have() { command -v "$1" >/dev/null 2>&1; }
echo ">>> directory"; pwd
echo ">>> path"; printf '%s\n' "$PATH"
for file in passwd group; do echo ">>> $file"; show /etc/$file; echo; done
echo ">>> mountinfo"; show /proc/self/mountinfo
for pid in /proc/[0-9]*; do
  pid=${pid#/proc/}
  # This shell and what it runs are no part of the container.
  [ "$pid" = $$ ] && continue
  status=$(show /proc/"$pid"/status) || continue
  case $status in *"PPid:	$$"*) continue ;; esac
  echo ">>> process $pid"; printf '%s\n' "$status"
  echo ">>> cmdline $pid"; show /proc/"$pid"/cmdline; echo
  # With a set-user-ID bit it is a program that wants to be root again.
  if have stat; then echo ">>> exe $pid"; stat -Lc '%f %u' /proc/"$pid"/exe 2>/dev/null; fi
  echo ">>> label $pid"; show /proc/"$pid"/attr/current; echo
  if have ls; then echo ">>> fd $pid"; ls -l /proc/"$pid"/fd 2>/dev/null; fi
done
for table in tcp tcp6 udp udp6 unix; do echo ">>> $table"; show /proc/net/$table; done
# The kubelet makes the termination log just before it starts the container; nothing of the image is newer.
start=/dev/termination-log; [ -e $start ] || start=/etc/hostname
if have find && have stat && [ -e $start ]; then
  echo ">>> changed"
  while read -r _ _ _ root point _; do
    # The root file system, and what the runtime made of the image's VOLUME lines.
    case $point in /|/proc*|/sys*|/dev*) [ "$point" = / ] || continue ;; *) case $root in */volumes/*) ;; *) continue ;; esac
      case $root in */pods/*) continue ;; esac ;; esac
    find "$point" -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o -newer $start -exec stat -c '%f %u %g %s %N' {} + 2>/dev/null
  done </proc/self/mountinfo
fi
# A new ctime and an old mtime, of a directory that is not root's: whoever started it gave it to its owner.
echo ">>> given"
find / -xdev \( -path /proc -o -path /sys -o -path /dev \) -prune -o -type d -cnewer $start ! -newer $start ! -user 0 \
  -exec stat -c '%f %u %g %s %N' {} + 2>/dev/null | head -n 200
echo ">>> empty"
[ "$PWD" = / ] || find "$PWD" -xdev \( -name .git -o -name node_modules -o -name site-packages -o -name vendor -o -name __pycache__ \) -prune \
  -o -type d -empty -print 2>/dev/null | head -n 40
echo ">>> end"
