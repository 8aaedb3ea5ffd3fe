#!/bin/sh
# seeds.sh TARGET FOLDER: puts into a folder what a fuzz target starts from.
set -eu
target=$1 folder=$2
cd "$(dirname "$0")/.."
case $target in
  # Whatever reads captures can begin with any.
  run | explain | written) from="run file" ;;
  archive) from="archive file" ;;
  *) from=$target ;;
esac
mkdir -p "$folder"
for seeds in $from; do
  cp "fuzz/seeds/$seeds"/* "$folder"
done
