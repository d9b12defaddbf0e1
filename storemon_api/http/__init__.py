"""HTTP plumbing that all routes share: errors, bodies, paging, headers, dependencies."""
