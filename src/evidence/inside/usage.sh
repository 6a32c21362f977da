# Shows how many KiB each of the paths given as arguments holds on its file system, to parse.rs. Needs sh and du.
echo ">>> usage"
for path; do du -skx -- "$path" 2>/dev/null; done
echo ">>> end"
