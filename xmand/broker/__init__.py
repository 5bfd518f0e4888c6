"""Brokered migration: two xmands carry what two libvirtds say to each other, and settle where the guest runs."""
