"""Members of the local user pool, and their tokens."""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

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


def second_factor(endpoint: str, state: Path, email: str, password: str, access_token: str) -> Json:
    """Gives a member an authenticator app, and logs in with it; says what the pool asked for, and
    what it said to a wrong code."""
    outputs = json.loads(state.read_text())["outputs"]
    cognito = client(endpoint, "cognito-idp")
    secret = cognito.associate_software_token(AccessToken=access_token)["SecretCode"]
    app = TOTP(base64.b32decode(secret), 6, SHA1(), 30)  # what authenticator apps do (RFC 6238)
    status = cognito.verify_software_token(
        AccessToken=access_token, UserCode=app.generate(int(time.time())).decode()
    )["Status"]
    cognito.set_user_mfa_preference(
        AccessToken=access_token,
        SoftwareTokenMfaSettings={"Enabled": True, "PreferredMfa": True},
    )

    def challenge() -> Json:
        asked: Json = cognito.admin_initiate_auth(
            UserPoolId=outputs["UserPoolId"],
            ClientId=outputs["UserPoolClientId"],
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return asked

    def answer(asked: Json, code: str) -> Json:
        answered: Json = cognito.admin_respond_to_auth_challenge(
            UserPoolId=outputs["UserPoolId"],
            ClientId=outputs["UserPoolClientId"],
            ChallengeName=asked["ChallengeName"],
            Session=asked["Session"],
            ChallengeResponses={"USERNAME": email, "SOFTWARE_TOKEN_MFA_CODE": code},
        )
        return answered

    asked = challenge()
    code = app.generate(int(time.time())).decode()
    try:
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        refused = "nothing" if answer(challenge(), wrong) else ""
    except cognito.exceptions.CodeMismatchException:
        refused = "CodeMismatchException"
    login = answer(asked, code)["AuthenticationResult"]
    return {
        "enrolled": status,
        "challenge": asked["ChallengeName"],
        "refused": refused,
        "has_token_before": "AuthenticationResult" in asked,
        "access_token": login["AccessToken"],
    }
