"""How each department answers: one port, a small translator per kind of system."""
