module zaum.dev/bench/load

go 1.24
