"""The command line `storemon` and what each command does."""
