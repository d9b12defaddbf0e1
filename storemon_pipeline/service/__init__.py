"""The service that `storemon up` runs: the supervisor and the processes it starts."""
