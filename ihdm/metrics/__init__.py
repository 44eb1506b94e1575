"""Mathematics of measures of generated images, as functions of arrays."""
