"""The recipes that come with the trainer, a YAML file each, and the command that shows them."""
