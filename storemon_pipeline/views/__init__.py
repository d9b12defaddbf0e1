"""What the pages and the JSON API show: one store, or all stores."""
