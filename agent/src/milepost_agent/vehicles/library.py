"""Which profiles there are: shipped ones by name, an integrator's own by file or folder, chosen by VIN."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from milepost_agent.errors import ProfileError
from milepost_agent.vehicles.contract import check_profile
from milepost_agent.vehicles.parsing import parse_profile
from milepost_agent.vehicles.profile import Standing, VehicleProfile

FOLDER: Final = Path(__file__).with_name("profiles")
GENERIC: Final = "generic"
AUTO: Final = "auto"
BYTES_MAX: Final = 1_000_000
PROFILES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Library:
    """The profile of the car, or those from which its VIN will choose; ``generic`` until then."""

    generic: VehicleProfile
    chosen: VehicleProfile | None = None
    candidates: tuple[VehicleProfile, ...] = ()

    def of_vin(self, vin: str) -> VehicleProfile:
        """The profile of the car with this VIN."""
        if self.chosen is not None:
            return self.chosen
        return next((profile for profile in self.candidates if profile.is_of(vin)), self.generic)


def shipped_names() -> list[str]:
    """The names of the profiles that this version ships."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def open_library(choice: str) -> Library:
    """What a setting chooses: "auto", a shipped profile's name, the path of a file, or that of a folder.

    A folder is chosen from by VIN, as the shipped profiles are with "auto" (those that are no examples).

    Raises:
        ProfileError: there is none, or one cannot be used.
    """
    generic = load_profile(GENERIC)
    if choice == AUTO:
        shipped = (load_profile(name) for name in shipped_names())
        candidates = tuple(profile for profile in shipped if profile.standing is not Standing.EXAMPLE)
        return Library(generic, candidates=candidates)
    if Path(choice).is_dir():
        files = sorted(Path(choice).glob("*.toml"))
        if len(files) > PROFILES_MAX:
            raise ProfileError(choice, "", f"holds {len(files)} profiles; at most {PROFILES_MAX}")
        return Library(generic, candidates=tuple(_load(path, path.stem) for path in files))
    return Library(generic, chosen=load_profile(choice))


def load_profile(name: str) -> VehicleProfile:
    """A shipped profile by its name, or one of your own by the path of its file; checked.

    Raises:
        ProfileError: there is none, or it cannot be used.
    """
    if name in shipped_names():
        return _load(FOLDER / f"{name}.toml", name)
    if "/" not in name and not name.endswith(".toml"):
        raise ProfileError(name, "", f"is unknown; there are {', '.join(shipped_names())}, or give a path")
    return _load(Path(name), name)


def _load(path: Path, name: str) -> VehicleProfile:
    profile = parse_profile(name, _read(name, path), lambda other: _read(name, path.with_name(other)))
    check_profile(profile)
    return profile


def _read(name: str, path: Path) -> str:
    try:
        content = path.read_bytes()[: BYTES_MAX + 1]
    except OSError as error:
        raise ProfileError(name, "", f"{path} cannot be read: {error.strerror}") from error
    if len(content) > BYTES_MAX:
        raise ProfileError(name, "", f"{path} has more than {BYTES_MAX} bytes")
    return content.decode("utf-8", "replace")
