# SPDX-License-Identifier: Apache-2.0
# fish completion for coldframe

