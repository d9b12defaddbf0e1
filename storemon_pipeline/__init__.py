"""storemon: how long each store was up while it should have been open."""
