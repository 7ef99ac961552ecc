"""A database and a data folder belong together: what the one does not know, the other would sweep away.

Each database has an id of its own, made with its tables; the folder that it works with keeps the same.
"""

from __future__ import annotations

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from unmask.errors import UnmaskError
from unmask.web.store import Store
from unmask.web.tables import Instance, Scan


def pair(engine: Engine, store: Store) -> None:
    """See to it that the folder is the database's own; where either is new, make it so.

    Raises:
        UnmaskError: one of them holds scans that the other does not know.
    """
    with Session(engine) as session:
        ours = session.scalars(select(Instance.id)).one()
        known = set(session.scalars(select(Scan.id)))
    theirs, kept = store.instance(), set(store.ids())
    if theirs == ours:
        return
    # Folders from before there were ids are known by the scans in them.
    if not (kept or known) or (not theirs and kept & known):
        store.set_instance(ours)
    elif kept:
        raise UnmaskError(
            f"the data folder {str(store.root)!r} holds scans of another database",
            hint="give that one with --database, or another folder with --data; "
            f"to go on without what lies there, move {str(store.scans)!r} away",
        )
    else:
        raise UnmaskError(
            f"the files of the scans in this database do not lie in {str(store.root)!r}",
            hint="give their folder with --data; "
            f"to go on without them, write {ours} into {str(store.instance_file)!r}",
        )


def one_at_a_time(session: Session) -> None:
    """Have all who call this wait for each other until their transactions end. To be called first in one."""
    session.execute(update(Instance).values(id=Instance.id))
