"""Who is asking, may they, in what order do things happen: the only floor that knows the others."""
