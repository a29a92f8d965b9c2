"""What runs models: the local worker, later remote servers; see `base.Engine`."""
