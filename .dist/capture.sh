#!/bin/bash
# capture.sh FILE COMMAND…: runs COMMAND while tcpdump writes what it does to FILE, and ends as COMMAND does.
#
# It begins when tcpdump listens, and ends with a packet of its own, because the end of a capture is its last
# packet: where nothing comes after a FIN, a leak is held for 0 s and only pending.
#
#   FILTER=port 3306    which packets, in tcpdump's language
#   SETTLE=4            seconds after COMMAND: longer than the peer's timeout, and min_hold (1 s)
#
# Needs bash, tcpdump, and root or sudo.
set -u
if [ $# -lt 2 ]; then
  echo "usage: capture.sh FILE COMMAND…" >&2
  exit 2
fi
file=$1
shift
root=()
# Asks for a password here, where it can still be typed.
[ "$(id -u)" = 0 ] || { root=(sudo); sudo true || exit 2; }
: >"$file.log"
# In a process group of its own: sudo passes no signal on that comes from its own group.
set -m
"${root[@]}" tcpdump -i any -U -Z root -w "$file" "(${FILTER:-port 3306}) or udp port 9" 2>"$file.log" &
tcpdump=$!
set +m
until grep -q 'listening on' "$file.log"; do
  [ -n "$(jobs -r)" ] || { cat "$file.log" >&2; exit 2; }
  sleep 0.1
done
"$@"
status=$?
sleep "${SETTLE:-4}"
echo end >/dev/udp/127.0.0.1/9       # the last packet
sleep 1
"${root[@]}" kill -INT $tcpdump
wait $tcpdump
cat "$file.log" >&2
exit $status
