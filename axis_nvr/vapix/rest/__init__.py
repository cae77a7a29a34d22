"""The device configuration APIs: trees of properties, entities, collections and actions."""
