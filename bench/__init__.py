"""What rxm and xmand cost beside what people would use instead, in one run on one machine (`make bench`)."""
