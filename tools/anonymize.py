"""Anonymize videos and images: files, patterns and folders. The same as `spact-anonymize`."""

import sys

from spact_mm.commands.anonymize import main

if __name__ == '__main__':
    sys.exit(main())
