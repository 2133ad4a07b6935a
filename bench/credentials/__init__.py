"""What credentials cost: `script/bench --credentials`; one module a part, each with `measured(rounds) -> Part`."""
