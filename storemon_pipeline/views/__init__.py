"""What the pages and the JSON API show of one store or of all stores."""
