"""The commands of `flowersim`, a file each: options, calls, what is printed."""
