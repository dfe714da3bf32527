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
# Payloads of panics are leaked on purpose where their own Drop could panic in the scheduler; they are
# made in this function. Nothing else is excused.
suppressions=$(mktemp)
trap 'rm -f "$suppressions"' EXIT
echo "leak:__rust_start_panic" >"$suppressions"
export LSAN_OPTIONS="suppressions=$suppressions:print_suppressions=0"
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
