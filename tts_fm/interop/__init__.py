"""The one room for foreign formats: the rest of the house never sees a foreign key name."""
