"""Shared by all routes: problems, request bodies, paging, headers, dependencies."""
