"""Routes for operators: health, metrics, data health, API documentation."""
