"""The command that prints what a Kubernetes cluster needs to run storemon."""
