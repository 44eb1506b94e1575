"""Sets of generated images: made each from its own numbers, kept on disk while they grow, and joined."""
