# SPDX-License-Identifier: Apache-2.0
"""Builds the guest image and the agent layers as an ordinary user. See README.md in the folder above."""
