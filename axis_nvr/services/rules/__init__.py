"""Rules: when something happens, or as long as something is so, an action runs."""
