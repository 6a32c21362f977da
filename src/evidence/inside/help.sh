# Shows what a program, the one argument, says of its options, to parse.rs. A program that does not know --help and starts
# instead is ended. Needs sh.
echo ">>> help"
"$1" --help </dev/null 2>&1 &
pid=$!
( sleep 2; kill -9 $pid ) >/dev/null 2>&1 &
wait $pid
echo ">>> end"
