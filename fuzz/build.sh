#!/bin/bash
# What OSS-Fuzz runs in its container, and ClusterFuzzLite too: every target with its seeds, in $OUT.
# SANITIZER=none builds with a stable compiler.
set -euo pipefail
cd "$(dirname "$0")/.."
sanitizer=${SANITIZER:-address}
case $sanitizer in
  # There is no C of ours to look into, and coverage has flags of its own.
  undefined | coverage) sanitizer=none ;;
esac
cargo fuzz build -O --debug-assertions -s "$sanitizer"
built=${CARGO_TARGET_DIR:-fuzz/target}/x86_64-unknown-linux-gnu/release
for target in $(cargo fuzz list); do
  cp "$built/$target" "$OUT/"
  cp fuzz/words.dict "$OUT/$target.dict"
  seeds=$(mktemp -d)
  fuzz/seeds.sh "$target" "$seeds"
  (cd "$seeds" && zip -q -r "$OUT/${target}_seed_corpus.zip" .)
  rm -r "$seeds"
done
