"""Members of the local user pool, and their tokens."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from aws import Failure, Json, client, say


def token(endpoint: str, state: Path, email: str, group: str, password: str | None) -> Json:
    """Ensures a member with that address and password in that group, and logs in as it."""
    if not state.exists():
        raise Failure(f"there is no {state}: deploy first")
    outputs = json.loads(state.read_text())["outputs"]
    cognito = client(endpoint, "cognito-idp")
    member = {"UserPoolId": outputs["UserPoolId"], "Username": email}
    try:
        cognito.admin_create_user(
            **member,
            MessageAction="SUPPRESS",
            UserAttributes=[
                {"Name": "email", "Value": email},
                {"Name": "email_verified", "Value": "true"},
            ],
        )
        say(f"created the member {email}")
    except cognito.exceptions.UsernameExistsException:
        pass
    # The suffix is there for the pool's password policy.
    password = password or f"{secrets.token_urlsafe(18)}aA1!"
    cognito.admin_set_user_password(**member, Password=password, Permanent=True)
    cognito.admin_add_user_to_group(**member, GroupName=group)
    attributes = cognito.admin_get_user(**member)["UserAttributes"]
    login = cognito.admin_initiate_auth(
        UserPoolId=outputs["UserPoolId"],
        ClientId=outputs["UserPoolClientId"],
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": password},
    )["AuthenticationResult"]
    return {
        "sub": next(a["Value"] for a in attributes if a["Name"] == "sub"),
        "access_token": login["AccessToken"],
        "id_token": login["IdToken"],
    }
