"""Opening hours in formats that others define: OpenStreetMap, schema.org, Google."""
