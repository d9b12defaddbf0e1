"""Reading files of any supported format: folders and URLs, CSV, Parquet, timestamps."""
