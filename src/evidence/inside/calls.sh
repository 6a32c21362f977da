# Shows the lines of scripts that start a program or give it options by which daemons change their user, to parse.rs. The
# scripts are those among the words given as arguments. Needs sh and grep.
for word; do
  file=$(command -v -- "$word" 2>/dev/null)
  file=${file:-$word}
  if [ ! -f "$file" ] || [ ! -r "$file" ]; then continue; fi
  { IFS= read -r first <"$file"; } 2>/dev/null
  case $first in '#!'*) ;; *) case $file in *.sh) ;; *) continue ;; esac ;; esac
  echo ">>> calls $file"
  grep -aE '^[[:space:]]*exec[[:space:]]|[[:space:]]--?(u|g|user|group|username|groupname|uid|gid|setuid|setgid|run-as|runas|chroot|chuid)([=[:space:]]|$)' "$file" 2>/dev/null
done
echo ">>> end"
