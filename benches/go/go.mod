module gopark-benches

go 1.22
