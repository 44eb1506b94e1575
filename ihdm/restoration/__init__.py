"""Pictures from measurements y = A u₀ + n: blurred, too small, with holes or noise; by sampling, and otherwise."""
