#!/bin/sh
# Runs the stress test, optimised, for the given number of seconds (600 without one), each minute with
# another seed. A seed that is in GOPARK_STRESS_SEED is kept.
#
#   scripts/stress.sh 3600
#   GOPARK_STRESS_SEED=123 scripts/stress.sh 60
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-600}
case $seconds in
'' | *[!0-9]*)
    echo "usage: scripts/stress.sh [seconds]" >&2
    exit 2
    ;;
esac
while [ "$seconds" -gt 0 ]; do
    round=$((seconds < 60 ? seconds : 60))
    GOPARK_STRESS_SECONDS=$round \
        cargo test --release -p gopark --test stress -- --nocapture
    seconds=$((seconds - round))
done
