#!/bin/sh
# Runs tests of the executor and of the sockets under AddressSanitizer, which finds uses of freed
# memory, overflows and leaks. Needs a nightly toolchain; the standard library is not rebuilt.
#
#   scripts/asan.sh                         everything that makes sense under it
#   scripts/asan.sh -p gopark --test stress one test
set -eu
cd "$(dirname "$0")/.."
host=x86_64-unknown-linux-gnu
export RUSTFLAGS="-Zsanitizer=address"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/asan"
# Its shadow memory and its quarantine are no memory of ours, so what measures or limits memory is
# left out: conformance_memory, life_cycles, and the test with RLIMIT_AS in fault_threads.
run() {
    cargo +nightly test --target "$host" "$@"
}
if [ $# -gt 0 ]; then
    run "$@"
    exit
fi
run -p gopark-net --lib --tests
run -p gopark --lib
for file in executor/tests/*.rs; do
    name=$(basename "$file" .rs)
    case $name in
    conformance_memory | life_cycles | macros) ;;
    fault_threads)
        run -p gopark --test "$name" -- --skip threads_that_are_refused_for_a_time
        ;;
    *) run -p gopark --test "$name" ;;
    esac
done
