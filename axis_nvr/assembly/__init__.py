"""How the recorder is put together: who is given what. Nothing runs yet when it is done."""
