"""Many lines to many files, on one machine or on many: what is kept is whole, and running again makes what is missing."""
